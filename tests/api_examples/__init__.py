"""The examples of answers and errors in the OpenAPI document: real answers of a server in memory."""
