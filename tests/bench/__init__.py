"""Benches: each measures our figure and its limit in one run on one server, in turns.

`python -m tests.bench [ID …]`; the ids and what each is allowed to be are in `catalogue.py`.
"""
