"""Scrapy: the pages that a sitemap lists, each extracted and cut where it arrives, by our own code.

Sixteen requests at once, as Syncline has, and without what Scrapy's page on broad crawls advises
to switch off. `python -m benchmarks.peers.scripts.with_scrapy URL`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from scrapy.crawler import CrawlerProcess
from scrapy.http import Response
from scrapy.spiders import SitemapSpider

from syncline.core.model import Content, Metadata
from syncline.pipeline.chunk import Chunking, chunk
from syncline.pipeline.extract import extract

_URL = sys.argv[1]


class Pages(SitemapSpider):
    """Counts what it has read; each page is an item, as in any spider."""

    name = "pages"
    sitemap_urls = (f"{_URL}/sitemap.xml",)
    custom_settings = {  # noqa: RUF012 - the name and the type are Scrapy's
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": True,
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "WARNING",
    }
    read = 0
    chunks = 0

    def parse(self, response: Response, **kwargs: Any) -> Iterator[dict[str, Any]]:
        found = extract(Content(response.body, "text/html"), Metadata(url=response.url))
        texts = [each.text for each in chunk(found.text, found.stemming, Chunking())]
        Pages.read += 1
        Pages.chunks += len(texts)
        yield {"url": response.url, "chunks": texts}


if __name__ == "__main__":
    process = CrawlerProcess()
    process.crawl(Pages)
    process.start()
    print(json.dumps({"pages": Pages.read, "chunks": Pages.chunks}))
