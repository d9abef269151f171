"""Control groups: who may use how much of what, as directories (cgroups(7)); see this folder's README."""
