"""Flower as a process of its own beside a real broker and a migrated database, and a real browser that looks at it."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_lite
