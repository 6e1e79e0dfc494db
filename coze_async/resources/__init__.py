"""The endpoints, grouped as the service groups them. Each module is loaded when its resource is first touched."""

from coze_async._endpoint import ENDPOINTS, Endpoint

__all__ = ["all_endpoints"]


def all_endpoints() -> list[Endpoint]:
    """Return every declared endpoint, in the order of the modules' names; loads them all."""
    from importlib import import_module
    from pkgutil import iter_modules

    for module in sorted(module.name for module in iter_modules(__path__, f"{__name__}.")):
        import_module(module)
    return sorted(ENDPOINTS, key=lambda endpoint: endpoint.name)
