"""HTML pages, taken apart for tests."""

from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "link"}


class Page(HTMLParser):
    """Check that tags close in order and ids are unique; keep headings, tables, figures' labels, tags and text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.tags, self.labels, self.headings, self.tables, self.text = [], [], [], [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        if tag == "svg":
            self.labels.append(attributes["aria-label"])
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open or "pre" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
