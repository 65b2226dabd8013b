"""The dead man's switch: pings for as long as the whole way of an event works, and none when a part has stopped."""
