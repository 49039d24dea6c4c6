"""The methods, metrics and embedders of the package pass the tests of `facesketch.testing`."""

from __future__ import annotations

from tests.contract.conftest import LEARNED, NARROW

from facesketch.metrics.fidelity import FIDELITY
from facesketch.testing import EmbedderContract, MethodContract, MetricContract

for _name in LEARNED:
    _options = {"name": _name, "options": NARROW.get(_name, {})}
    globals()[f"Test-{_name}"] = type(f"Test-{_name}", (MethodContract,), _options)
for _name, _metric in FIDELITY.items():
    globals()[f"Test-{_name}"] = type(f"Test-{_name}", (MetricContract,), {"metric": _metric})
for _name in ("hog", "lite"):
    globals()[f"Test-{_name}"] = type(f"Test-{_name}", (EmbedderContract,), {"name": _name})
