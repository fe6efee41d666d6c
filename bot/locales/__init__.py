"""Translations: gettext catalogues for German and French, and the build tool that keeps them up to date.

`*.po` is edited by translators; `*.mo` is compiled from it and read by `bot.core.i18n`.
`python -m bot.locales` (`make catalogues`) collects, merges and compiles. `collect` reads the sources and the
templates, `commands` collects the names and descriptions of all registered commands. The running bot imports neither.
"""
