"""Tests of the dashboard.

``test_app`` asks for its files; ``test_types`` checks its JavaScript; ``unit/*.js`` has tests of modules, which
``test_units`` runs in Chromium; ``test_pages`` checks every page of :mod:`tests.dashboard.pages` for what must hold of
all pages. What one page does is tested in a module of its own, such as ``test_now``.

To add a page:

1. a line in ``ROUTES`` of ``route.js``, and the module with the component as default export;
2. its words, in its block of each file in ``messages/``: ``t("devices.none")`` for text, ``words(...)`` for elements;
3. its line in :data:`tests.dashboard.pages.PAGES`.

A page that shows something of the server reads it with ``useLive(key, {load, apply})`` and shows it in ``Loaded``; a
button that does something is an ``Act``. ``components/`` has the rest.
"""
