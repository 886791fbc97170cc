"""The geometry of CLoVE: embed, cluster, match, and tell when it is stable."""
