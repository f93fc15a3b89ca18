"""The HTTP layer: connections, requests with bounded bodies, routes, and the status code of each error.

It knows neither dialects nor the admin API; it imports the model, and no package above.
"""
