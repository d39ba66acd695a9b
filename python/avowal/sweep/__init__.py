"""Sweeps: the study simulated over a grid of designs, for power, precision and price before anything is spent.

Reading order: :mod:`~avowal.sweep.grid` (designs), :mod:`~avowal.sweep.estimands` (claims), :mod:`~avowal.sweep.run`
(simulation, chunk by chunk), :mod:`~avowal.sweep.store` (what is kept), :mod:`~avowal.sweep.summary` and
:mod:`~avowal.sweep.money` (what it means, and costs), :mod:`~avowal.sweep.power` (the whole),
:mod:`~avowal.sweep.chart` (its pictures); :mod:`~avowal.sweep.cluster` simulates on other machines.

From power back to a design: :mod:`~avowal.sweep.crossing` (where a fitted curve reaches a target),
:mod:`~avowal.sweep.search` (where to simulate next), :mod:`~avowal.sweep.solve` (the whole).
"""
