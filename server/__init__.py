"""The aiohttp shell: live campaigns, sockets, HTTP, limits. `app.make_app` puts it together."""
