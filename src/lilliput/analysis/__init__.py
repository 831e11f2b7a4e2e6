"""What can be learnt from finished runs: figures and the report. Reads run folders only; no torch."""
