"""The demonstration: a year of real flights, a real blizzard, and one failure that is injected and says so."""
