"""Every index of every store, collected from where each is declared."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from wallet_api import stores
from wallet_api.infra.mongo import Index

ALL_INDEXES: tuple[Index, ...] = tuple(
    index
    for module in pkgutil.iter_modules(stores.__path__)
    for index in getattr(import_module(f"{stores.__name__}.{module.name}"), "INDEXES", ())
)
