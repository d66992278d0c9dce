"""Questlog: the state of a tabletop campaign as an event log, with live replicas."""
