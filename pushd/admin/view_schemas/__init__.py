"""JSON Schemas of what the API shows, made from the classes of the values that :mod:`pushd.admin.json_views` shows."""
