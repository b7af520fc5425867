"""derivations pipeline: from demonstrations to policies that are trained against a learned reward."""

from __future__ import annotations

from pathlib import Path

import click

from derivations.cli.train import faults_told, needs_torch, progress, told


@click.command("pipeline")
@click.option("--env", default="toy_envs/Names-v0", show_default=True, metavar="NAME", help="A world with pairs.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    metavar="NAME",
    help="A policy's algorithm, as for train; may be given several times.  [default: all but trpo]",
)
@click.option("--seed", default=0, show_default=True, help="Fixes everything that is drawn.")
@click.option("--out", required=True, metavar="DIR", help="A new or empty folder; each part gets one of its own in it.")
@click.option("--resume", is_flag=True, help="Take up what was stopped, and leave what is finished as it is.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="auto: CUDA when there.")
@click.pass_context
def command(
    ctx: click.Context, env: str, algorithms: tuple[str, ...], seed: int, out: str, resume: bool, device: str
) -> None:
    """Fit a policy to demonstrations and a reward model to pairs; then train policies from the one against the other.

    DIR gets a run's folder for each part, as `derivations train` writes them: sft, reward, and one for each algorithm. The
    true reward, on which nothing is trained, and the KL stand beside the learned reward in the metrics of each.
    """
    with needs_torch("pipeline"):
        from derivations.algorithms.devices import pick_device
        from derivations.algorithms.pipeline import POLICIES, parts, pipeline
        from derivations.algorithms.settings import named
        from toy_envs import make_mdp
    folder = Path(out).expanduser()
    with faults_told(ctx):
        mdp, where = make_mdp(env), pick_device(device)
        wanted = parts(mdp, [named(algorithm) for algorithm in algorithms] or POLICIES, folder, seed)
        for name, last in pipeline(mdp, wanted, folder, where, progress, resume=resume):
            click.echo(told(mdp, wanted[name], last))
    click.echo(f"the runs are in {folder}")
