#!/usr/bin/env python3
"""A preprocessor of mdBook: what pages link to outside of docs/ becomes pages of the book, so that no link leads out of it.

In the repository such a link is `../SECURITY.md`. The book has the page `files/SECURITY.md` in its place; of what is not Markdown, a page that
shows it. mdBook runs this on its own, as book.toml says.
"""

import json
import os
import re
import sys

LINK = re.compile(r"\]\(([^)#\s:]+)(#[^)]*)?\)")
CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)


def relinked(text, folder, page_folder, wanted):
    """Text of a file in `folder`, whose page comes into `page_folder` of the book; files that it names outside of docs/ are added to `wanted`."""

    def replace(match):
        target = os.path.normpath(os.path.join(folder, match[1]))
        if target.startswith("docs/"):
            page = target.removeprefix("docs/")
        else:
            wanted.setdefault(target)
            page = page_of(target)
        return f"]({os.path.relpath(page, page_folder)}{match[2] or ''})"

    parts = CODE.split(text)
    # Those in between are code.
    parts[::2] = [LINK.sub(replace, part) for part in parts[::2]]
    return "".join(parts)


def page_of(path):
    return "files/" + (path if path.endswith(".md") else path + ".md")


def shown(root, path, wanted):
    """The page of a file of the repository."""
    with open(os.path.join(root, path), encoding="utf-8") as file:
        text = file.read()
    if path.endswith(".md"):
        return relinked(text, os.path.dirname(path), os.path.dirname(page_of(path)), wanted)
    language = {"example": "toml", "yml": "yaml"}.get(path.rsplit(".", 1)[-1], path.rsplit(".", 1)[-1])
    return f"# {path}\n\n````{language}\n{text}````\n"


def chapters(items):
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            yield item["Chapter"]
            yield from chapters(item["Chapter"]["sub_items"])


def main():
    context, book = json.load(sys.stdin)
    root = os.path.dirname(context["root"])
    # mdBook 0.5 has another name for it.
    items = book["items"] if "items" in book else book["sections"]
    wanted = {}
    for chapter in chapters(items):
        chapter["content"] = relinked(chapter["content"], "docs", ".", wanted)
    pages = {}
    while left := sorted(set(wanted) - set(pages)):
        pages[left[0]] = shown(root, left[0], wanted)
    items.append({"PartTitle": "Files of the repository"})
    for path, content in sorted(pages.items()):
        page = page_of(path)
        chapter = {"name": path, "content": content, "number": None, "sub_items": [], "path": page, "source_path": None, "parent_names": []}
        items.append({"Chapter": chapter})
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    # `supports RENDERER` asks whether it works for that; it does for all.
    if sys.argv[1:2] != ["supports"]:
        main()
