"""What tests share: private servers and the fixtures on them."""
