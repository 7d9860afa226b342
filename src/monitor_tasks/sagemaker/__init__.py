"""The dialect: SageMaker's files and words to our nouns and back; no input or output."""
