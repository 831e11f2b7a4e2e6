"""What an experiment leaves behind, and how it is read again. No torch.

Names are imported from their own file (``from lilliput.results.run import Run``): this page stays empty so that the
floors above, which all write through ``results.atomic``, load nothing they do not use.
"""
