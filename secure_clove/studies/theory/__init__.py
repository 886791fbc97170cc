"""CLoVE's theory measured: separation, one-shot recovery and exponential convergence."""
