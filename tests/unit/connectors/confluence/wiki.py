"""What the tests of the connector share."""

TOKEN = "NDc1MTQ4OTU2-lantern"
