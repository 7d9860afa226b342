"""Ways to explain a prediction by its features (SHAP): exact where the model allows it, by coalitions for any other."""
