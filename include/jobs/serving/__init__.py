"""Jobs for people who look at data: profiles, and marts in Google Sheets."""
