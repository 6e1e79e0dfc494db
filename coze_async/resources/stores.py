"""The plug-in store."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, get
from coze_async._pages import ByNumber, Pages
from coze_async.models import StoreCategory, StorePlugin

__all__ = ["StoreCategoriesResource", "StorePluginsResource", "StoresResource"]


class StoreCategoriesResource(Resource, place="stores.categories"):
    """The categories of the store."""

    @get("/v1/stores/categories", pages=ByNumber())
    def list(
        self, *, entity_type: str, page_num: int = 1, page_size: int = 20, timeouts: Timeouts | None = None
    ) -> Pages[StoreCategory]:
        """List store categories.

        Args:
            entity_type: The kind of entity, such as `plugin`.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 100 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_plugin_category.
        """
        ...


class StorePluginsResource(Resource, place="stores.plugins"):
    """The plug-ins of the store."""

    @get("/v1/stores/plugins", pages=ByNumber(key="metainfo.product_id"), joined=("category_ids",))
    def list(
        self,
        *,
        keyword: str | None = None,
        is_official: bool | None = None,
        category_ids: Sequence[str] | None = None,
        sort_type: str | None = None,
        page_num: int = 1,
        page_size: int = 20,
        category_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[StorePlugin]:
        """Search plug-ins in the store.

        Args:
            keyword: What to search for.
            is_official: True for official plug-ins only.
            category_ids: Only these categories.
            sort_type: How to sort.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 100 at most.
            category_id: Only this category.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_plugin.
        """
        ...


class StoresResource(Resource):
    """The store."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.categories: StoreCategoriesResource = StoreCategoriesResource(core)
        self.plugins: StorePluginsResource = StorePluginsResource(core)
