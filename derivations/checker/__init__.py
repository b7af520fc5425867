"""Judges statements; knows nothing of reinforcement learning."""
