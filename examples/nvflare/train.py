"""The training script of each client: a few steps of least squares in numpy, logged as they go."""

import logging
import time

import numpy as np
import nvflare.client as flare

STEPS = 20

log = logging.getLogger("train")
chance = np.random.default_rng(7)
features = chance.normal(size=(512, 4))
labels = features @ np.array([0.5, -1.0, 2.0, 0.25]) + chance.normal(scale=0.1, size=512)

flare.init()
while flare.is_running():
    model = flare.receive()
    if model is None:
        break
    weights = np.asarray(model.params["numpy_key"], dtype=float)
    for step in range(STEPS):
        residual = features @ weights - labels
        weights = weights - 0.05 * features.T @ residual / len(labels)
        log.info("round=%s step=%s loss=%.6f", model.current_round, step, float(residual @ residual) / len(labels))
        time.sleep(0.05)
    flare.send(flare.FLModel(params={"numpy_key": weights}, metrics={"accuracy": 1.0 / (1.0 + residual.std())}))
