"""How colours look to people who see few of them, and how far apart two colours seem."""

from __future__ import annotations

from math import dist

from gitbridge_console.console.contrast import linear_rgb

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE Transactions on Visualization and Computer Graphics 15(6), 2009: severity 1.0, for linear RGB.
SIGHT = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}

# Björn Ottosson, "A perceptual color space for image processing", 2020.
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

Three = tuple[float, float, float]


def times(matrix: tuple[Three, ...], vector: Three) -> Three:
    one, two, three = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return one, two, three


def seen(colour: str, sight: str) -> Three:
    """The colour in Oklab (lightness from 0 to 1, two axes of colour) as someone of that sight has it."""
    red, green, blue = (min(1.0, max(0.0, value)) for value in times(SIGHT[sight], linear_rgb(colour)))
    long, medium, short = (value ** (1 / 3) for value in times(TO_CONES, (red, green, blue)))
    return times(TO_OKLAB, (long, medium, short))


def apart(one: str, other: str, sight: str) -> float:
    """Distance in Oklab; black and white are 1 apart."""
    return dist(seen(one, sight), seen(other, sight))
