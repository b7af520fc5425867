"""derivations train: trains the tiny GPT where the optimum is known, and shows how far away it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derivations.checker.errors import BadInput
from derivations.cli import screen

if TYPE_CHECKING:
    from derivations.algorithms.settings import Settings
    from toy_envs.token_mdp import TokenMDP


@click.command("train")
@click.argument("algorithm", metavar="{sft,reward,reinforce,cpi,trpo-penalty,trpo,ppo,dpo}")
@click.option("--env", required=True, metavar="NAME", help="The world, such as toy_envs/Sorting-v0.")
@click.option("--seed", type=int, help="Fixes everything that is drawn.  [default: 0]")
@click.option("--updates", type=int, help="How many batches are drawn and learnt from.  [default: the algorithm's]")
@click.option(
    "--reference",
    metavar="PATH",
    help="The policy to start from and to stay near to: a run's folder or a file.  [default: the world's own]",
)
@click.option(
    "--reward-model",
    metavar="PATH",
    help="Who judges instead of the world, of which the reward is then only looked at: a run's folder or a file.",
)
@click.option("--beta", type=float, help="The KL coefficient, in units of reward per nat.  [default: the world's own]")
@click.option(
    "--kl",
    metavar="reward|loss_k2|loss_k3|loss_exact",
    help="Where the penalty stands: k1 in the reward, or k2, k3 or the exact divergence in the loss.  [default: reward]",
)
@click.option(
    "--checkpoint-every",
    type=int,
    metavar="N",
    help="After how many updates the run is kept, to be taken up from there.  [default: 10]",
)
@click.option(
    "--config", metavar="FILE", help="TOML with these and all other settings; what is given here goes before it."
)
@click.option("--out", required=True, metavar="DIR", help="A new or empty folder for the run.")
@click.option(
    "--resume", is_flag=True, help="Go on with the run in DIR where it stopped; begin it where there is none."
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="auto: CUDA when there.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    algorithm: str,
    env: str,
    config: str | None,
    out: str,
    resume: bool,
    device: str,
    **given: float | str | None,
) -> None:
    """Train the tiny GPT: by sft on demonstrations, as a reward model on pairs, or as a policy by the other algorithms.

    A policy is measured at each step: with its exact regret J(π*) − J(π), or where the world cannot be enumerated on
    fresh responses.

    DIR gets run.json (what made it), settings.toml, metrics.jsonl (a line for each step), samples.jsonl (a few responses
    as text at each checkpoint), tensorboard/ where that is installed, and model.safetensors. A run that was killed, or
    stopped by Ctrl-C or SIGTERM, goes on with --resume and ends as if it had not been. Exits with 1 if a number of the
    run is no longer finite or a file cannot be written, with 130 or 143 if it was stopped; what was written is kept.

    Under torchrun (torchrun --nproc-per-node 2 -m derivations train …) the processes share the rows of each batch.
    """
    with needs_torch("train"):
        from derivations.algorithms import runs
        from derivations.algorithms.configuration import read_settings
        from derivations.algorithms.data_parallel import group, joined
        from derivations.algorithms.devices import pick_device
        from derivations.algorithms.settings import settings_for
        from toy_envs import make_mdp
    folder = Path(out).expanduser()
    with faults_told(ctx):
        chosen = {} if config is None else read_settings(Path(config).expanduser(), algorithm)
        chosen |= {name: value for name, value in given.items() if value is not None}
        mdp = make_mdp(env)
        settings = settings_for(algorithm, mdp.name, **chosen)
        with joined(pick_device(device)) as where:
            first = not group().rank
            was_finished = resume and runs.is_finished(folder)
            with progress(settings, hidden=not first) as watch:
                last = runs.train(mdp, settings, folder, where, watch, resume=resume)
    if not first:
        return
    click.echo(told(mdp, settings, last))
    if was_finished:
        click.echo(f"the run had finished; nothing in {folder} was changed")
    else:
        click.echo(f"run.json, settings.toml, metrics.jsonl, samples.jsonl and model.safetensors are in {folder}")


GO_ON = "the same command with --resume goes on from its last checkpoint"


@contextmanager
def faults_told(ctx: click.Context) -> Iterator[None]:
    """Around runs: each way in which one can end before its time becomes a message and an exit status."""
    from derivations.algorithms import runs
    from derivations.algorithms.stage import Diverged
    from toy_envs.errors import BadInput as BadWorldInput

    try:
        yield
    except BadWorldInput as error:
        raise BadInput(str(error)) from error
    except Diverged as error:
        click.echo(f"Error: {error}. The metrics until then are in {runs.METRICS} of its folder.", err=True)
        ctx.exit(screen.NOT_AS_STATED)
    except OSError as error:
        click.echo(f"Error: {error.filename}: {error.strerror}. What was written is kept; {GO_ON}.", err=True)
        ctx.exit(screen.NOT_AS_STATED)
    except runs.Stopped as error:
        click.echo(f"The run was {error}; {GO_ON}.", err=True)
        ctx.exit(128 + error.signal)


def told(mdp: TokenMDP, settings: Settings, last: dict[str, float]) -> str:
    """The end of a run, in one line."""
    return f"{settings.algorithm} on {mdp.name}, seed {settings.seed}, {last['update']} updates: {_end(last)}"


def _end(last: dict[str, float]) -> str:
    """What was reached: against the optimum where that is known, else as fresh responses show it, else the loss."""
    if "regret" in last:
        best = last["objective"] + last["regret"]
        true = f"; true score {last['true_score']:.4f}" if "true_score" in last else ""
        return f"J(π) = {last['objective']:.4f}, J(π*) = {best:.4f}; {_regret(last)} of J(π*) − J(π_ref){true}"
    if "score" in last:
        shown = {"score": "score", "true_score": "true score", "kl": "KL in nats"}
        parts = [
            f"{words} {last[name]:.4f} ± {last[f'{name}_error']:.4f}" for name, words in shown.items() if name in last
        ]
        return ", ".join(parts)
    truth = f"; of the true reward {last['loss_of_truth']:.4f}" if "loss_of_truth" in last else ""
    return f"loss {last['loss']:.4f}{truth}"


def _regret(metrics: dict[str, float]) -> str:
    return f"regret {metrics['regret']:.4f}, {metrics['regret_share']:.2%}"


def _beside_the_bar(metrics: dict[str, float]) -> str:
    if "regret" in metrics:
        return _regret(metrics)
    name = "score" if "score" in metrics else "loss"
    return f"{name} {metrics[name]:.4f}" if name in metrics else ""


@contextmanager
def needs_torch(name: str) -> Iterator[None]:
    """Around the imports of a command: what is not installed becomes a message that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BadInput(
            f"derivations {name} needs the package {error.name}, which is not installed here; "
            "install it with: pip install -e '.[train]'"
        ) from error


@contextmanager
def progress(settings: Settings, *, hidden: bool = False) -> Iterator[Callable[[dict[str, float]], None]]:
    """A bar on standard error with how the run does; none where that is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = screen.console(stderr=True)
    columns = (
        TextColumn(settings.algorithm, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task("", total=settings.updates)

        def watch(metrics: dict[str, float]) -> None:
            bar.update(task, completed=metrics["update"], description=_beside_the_bar(metrics))

        yield watch
