"""Pictures of what a container needs: as text for terminals, and as SVG files for papers and pages."""
