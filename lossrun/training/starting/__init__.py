"""The ways into the loop: start a run or a stack of runs, resume it, or train a part of it again."""
