"""The commands of ``pushctl``.

A command is a coroutine function with :func:`pushd.pushctl.session.with_client`. It calls the server with
:meth:`pushd.pushctl.api.AdminClient.call` or ``items``, and prints the answer with
:func:`pushd.pushctl.lists.print_list` or the functions of :mod:`pushd.pushctl.output`. It has ``--json``, and an
example in its help. Its arguments have types of :mod:`pushd.pushctl.completion`. :data:`pushd.pushctl.main.SECTIONS`
lists it. A list with commands of its own, such as ``pushctl devices``, is a group that may be called without one.
"""
