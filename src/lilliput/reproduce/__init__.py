"""The whole paper, made again: every table, every figure and every claim, ours beside theirs."""
