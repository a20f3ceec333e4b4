"""A small real training job for `logstreamer demo`: logistic regression in plain Python, with a rotating log.

python -m logstreamer.cli.demo_job LOGFILE [--seconds 14] [--seed 1] [--max-bytes 40000] [--pause 0.008]
"""

from __future__ import annotations

import argparse
import logging
import logging.handlers
import math
import random
import time
from collections.abc import Sequence

Point = tuple[float, float, int]

KEPT = 200
"""Rotated files that are kept: all of them, so that the copy can be compared in the end."""


def make_points(count: int, dice: random.Random) -> list[Point]:
    """Two clouds that overlap a little, labelled 0 and 1."""
    points = []
    for _ in range(count):
        label = dice.randrange(2)
        centre = 1.0 if label else -1.0
        points.append((dice.gauss(centre, 1.2), dice.gauss(centre, 1.2), label))
    return points


def predict(weights: Sequence[float], x: float, y: float) -> float:
    """The probability of label 1."""
    score = weights[0] * x + weights[1] * y + weights[2]
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, score))))


def step(weights: list[float], batch: Sequence[Point], rate: float) -> tuple[float, float]:
    """One step of gradient descent; (loss, accuracy) before it."""
    gradient = [0.0, 0.0, 0.0]
    loss = hits = 0.0
    for x, y, label in batch:
        chance = predict(weights, x, y)
        error = chance - label
        gradient = [gradient[0] + error * x, gradient[1] + error * y, gradient[2] + error]
        loss -= math.log(max(1e-12, chance if label else 1 - chance))
        hits += (chance >= 0.5) == bool(label)
    for index, slope in enumerate(gradient):
        weights[index] -= rate * slope / len(batch)
    return loss / len(batch), hits / len(batch)


def main() -> None:
    """Train for a while and log every step."""
    parser = argparse.ArgumentParser()
    parser.add_argument("logfile")
    parser.add_argument("--seconds", type=float, default=14.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-bytes", type=int, default=40_000)
    parser.add_argument("--pause", type=float, default=0.008)
    arguments = parser.parse_args()
    handler = logging.handlers.RotatingFileHandler(arguments.logfile, maxBytes=arguments.max_bytes, backupCount=KEPT)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log = logging.getLogger("train")
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    dice = random.Random(arguments.seed)
    points, weights = make_points(400, dice), [0.0, 0.0, 0.0]
    log.info("training on %d points, seed %d", len(points), arguments.seed)
    end, number = time.monotonic() + arguments.seconds, 0
    while time.monotonic() < end:
        number += 1
        loss, accuracy = step(weights, dice.sample(points, 64), 0.05)
        log.info("step %d loss=%.5f accuracy=%.4f weights=%s", number, loss, accuracy, [round(w, 4) for w in weights])
        time.sleep(arguments.pause)
    log.info("done after %d steps", number)


if __name__ == "__main__":
    main()
