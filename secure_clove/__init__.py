"""Clustered, personalized federated learning that keeps secrets.

The names below are the promised interface. They are imported on first use, so that
``import secure_clove`` is instant and needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_clove.engine.policy import Policy as Policy
    from secure_clove.errors import CloveError as CloveError
    from secure_clove.learn.tasks import TorchTask as TorchTask
    from secure_clove.sdk.client import FederatedClient as FederatedClient
    from secure_clove.sdk.config import Settings as Settings
    from secure_clove.sdk.simulate import simulate as simulate

_HOMES = {
    "CloveError": "secure_clove.errors",
    "FederatedClient": "secure_clove.sdk.client",
    "Policy": "secure_clove.engine.policy",
    "Settings": "secure_clove.sdk.config",
    "TorchTask": "secure_clove.learn.tasks",
    "simulate": "secure_clove.sdk.simulate",
}

__all__ = ["CloveError", "FederatedClient", "Policy", "Settings", "TorchTask", "simulate"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'secure_clove' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
