"""Energy landscapes: stationary points, how they are connected, how fast one turns into another.

And the test suite of Landscape17, which asks whether a potential has the landscape of its reference.
"""

from labkit.landscapes import landscape17
from labkit.landscapes.alignment import Comparison
from labkit.landscapes.assessment import Assessment, assess, mfpt_ratio, score_landscape17, summary
from labkit.landscapes.cleaning import clean
from labkit.landscapes.disconnectivity import DisconnectivityTree
from labkit.landscapes.exploration import LandscapeExploration, network
from labkit.landscapes.kinetics import FastestPath, Rates, mean_first_passage_time, occupations, rates
from labkit.landscapes.match import Match
from labkit.landscapes.matching import Matcher, closest_match, match
from labkit.landscapes.network import KineticNetwork
from labkit.landscapes.stationary_point import Minimum, TransitionState

__all__ = [
    "Assessment",
    "Comparison",
    "DisconnectivityTree",
    "FastestPath",
    "KineticNetwork",
    "LandscapeExploration",
    "Match",
    "Matcher",
    "Minimum",
    "Rates",
    "TransitionState",
    "assess",
    "clean",
    "closest_match",
    "landscape17",
    "match",
    "mean_first_passage_time",
    "mfpt_ratio",
    "network",
    "occupations",
    "rates",
    "score_landscape17",
    "summary",
]
