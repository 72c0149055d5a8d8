"""What Panel and Bokeh draw: plots, status and settings. Nothing else of the page imports either."""
