"""Which values of an answer go into which parameters of the next call, for the OpenAPI document."""

SIGN_IN = {
    "header.X-User-Id": "$response.body#/data/userId",
    "header.X-Auth-Token": "$response.body#/data/authToken",
}
"""The sign-in that the answer has."""
SAME = {
    "header.X-User-Id": "$request.header.X-User-Id",
    "header.X-Auth-Token": "$request.header.X-Auth-Token",
}
"""The sign-in of the request before."""
OF_GROUP = {**SAME, "query.roomId": "$response.body#/group/_id"}
OF_USER = {**SAME, "query.userId": "$response.body#/_id"}
