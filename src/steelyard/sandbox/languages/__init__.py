"""The languages whose programs are compiled and tested here, one small adapter each."""
