"""Versions, decisions and races of the registry suites."""

import datetime as dt
import itertools
import threading

from packaging_assets.domain.registry import Registration, RegistryError

WEEKS = ("2025-01-06", "2025-01-13", "2025-01-20")
START = dt.datetime(2025, 2, 3, 9, 0, tzinfo=dt.UTC)
BY_ADA = {"actor": "ada", "reason": "checked by hand"}


def registration(week=WEEKS[0], verdict="approve", *, model="mailer", fingerprint="f1", **fields) -> Registration:
    return Registration(
        **{
            "model": model,
            "package_type": model,
            "training_week": week,
            "fingerprint": fingerprint,
            "verdict": verdict,
            "artifact_uri": f"{model}/model/{week}/{fingerprint}",
            "metrics_uri": f"{model}/metrics/{week}/{fingerprint}",
            "content_hash": f"c-{fingerprint}",
            "code_version": "0.1.0",
            "metrics": {"pr_auc": 0.5},
            **fields,
        }
    )


def ticking_clock():
    """Every reading is a minute after the one before."""
    minutes = itertools.count()
    return lambda: START + dt.timedelta(minutes=next(minutes))


def race(functions):
    """Run all at once, and return what each returned or raised."""
    results = [None] * len(functions)
    barrier = threading.Barrier(len(functions))

    def run(number):
        barrier.wait()
        try:
            results[number] = functions[number]()
        except RegistryError as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
