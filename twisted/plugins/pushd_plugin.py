"""Declares the plugins of twistd; imports nothing from pushd, so that ``--reactor`` can still choose a reactor."""

from twisted.application.service import ServiceMaker

pushd = ServiceMaker("pushd", "pushd.tap", "Holds the polls of devices and pushes commands to them.", "pushd")
simulate = ServiceMaker(
    "pushd-simulate", "pushd.simulator.tap", "Simulates devices of both dialects.", "pushd-simulate"
)
