"""The formulas that the checker let pass, in PyTorch, and the tiny GPT that they train.

Everything here works on tensors; nothing here knows the checker. See bridge.py for where the two meet.
"""
