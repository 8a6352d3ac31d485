"""What one scan found, for people (`html`) and for programs (`results`)."""
