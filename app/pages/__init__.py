"""The ward's pages: HTML made on the server, that works without script; one file a page. Each write is the same act as
the API's."""
