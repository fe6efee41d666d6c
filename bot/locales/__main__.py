"""`python -m bot.locales`: bring `bot/locales/*.po` and `*.mo` up to date with what the bot says."""

import sys
from collections.abc import Sequence

from bot.core.i18n import FOLDER
from bot.locales.collect import languages, to_mo, to_po, updated_catalogue


def _is_translated(string: str | Sequence[str] | None) -> bool:
    """Whether a sentence, or each of its plural forms, has a translation."""
    return bool(string) and all(string or ())


def main() -> int:
    """Write all catalogues; 1 when a sentence has no translation yet."""
    missing = 0
    for language in languages():
        catalog = updated_catalogue(language)
        (FOLDER / f"{language}.po").write_bytes(to_po(catalog))
        (FOLDER / f"{language}.mo").write_bytes(to_mo(catalog))
        untranslated = sum(1 for message in catalog if message.id and not _is_translated(message.string))
        missing += untranslated
        print(f"{language}: {len(catalog)} sentences, {untranslated} without a translation")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
