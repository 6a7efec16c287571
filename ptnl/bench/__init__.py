"""The speed of this machine: behind `ptnl bench`, and behind the hours that `ptnl plan` states.

`step_cost` times a training step of the fast core beside the plain one in `reference`;
`machine_rates` measures how fast a machine multiplies matrices and decodes images. What else the
project measures, for the tables of its docs, is in `tests/measurements/`.
"""
