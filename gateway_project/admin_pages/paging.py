"""Lists of tables too large to count: one row more than a page is read, which tells whether there is another."""

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

# Every page skips the rows before it; who wants to go deeper narrows the filter instead.
LAST_PAGE = 200


class UncountedPaginator(Paginator):
    """Claims as many rows as can be paged through, without asking the database."""

    template_name = "admin/uncounted_pagination.html"

    @cached_property
    def count(self) -> int:
        return LAST_PAGE * self.per_page


class UncountedChangeList(ChangeList):
    """The rows of one page, newest first as the database's index has them. has_next: whether there is another page."""

    has_next = False

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= LAST_PAGE:
            raise IncorrectLookupParameters
        first = (self.page_num - 1) * self.list_per_page
        rows = list(self.queryset[first : first + self.list_per_page + 1])
        self.has_next = len(rows) > self.list_per_page and self.page_num < LAST_PAGE
        self.result_list = rows[: self.list_per_page]
        self.result_count = first + len(rows)
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = self.has_next or self.page_num > 1
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
