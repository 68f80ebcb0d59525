"""``streamhmm train``: an acoustic model of one's own."""

from __future__ import annotations

import argparse


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    train = commands.add_parser("train", help="train an acoustic model")
    train.add_argument("--config", required=True, metavar="FILE", help="what to train on and how, in TOML")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    from streamhmm.acoustic.training import train

    train(options.config, resume=options.resume)
    return 0
