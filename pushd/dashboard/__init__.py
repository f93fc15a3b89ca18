"""The dashboard: the page for operators, which calls the admin API from the browser.

``assets`` has the files of ``static/``, ``policy`` the headers that say what the page may do, ``app`` the routes.
"""
