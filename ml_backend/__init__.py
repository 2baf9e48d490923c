"""goldloop's judge behind Label Studio's ML backend protocol, by label-studio-ml, in an own environment."""
