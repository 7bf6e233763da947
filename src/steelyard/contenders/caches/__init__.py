"""Cache methods as contenders: one short file a method, all over steelyard.lab.CachePolicy."""
